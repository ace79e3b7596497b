"""The page for the browser: classify, explore a network's table, compare two, look at runs."""
