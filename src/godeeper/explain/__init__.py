"""Why a network predicts what it predicts: maps, branches, crops and channels, and drawings of its predictions."""
