"""Tables -> torch: modules, networks, weights."""
