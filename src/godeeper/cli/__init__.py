"""The command line: it joins the rooms and holds no logic."""
