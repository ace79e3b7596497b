"""Images of what a network does."""
