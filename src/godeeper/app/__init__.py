"""The web app: classify an image, explore a network's table, compare two networks, look at training runs."""
