"""What a person asks for, a file a wish: typed options in, typed results out, nothing printed.

The command line, the web app and the claims call these; so can you.
"""
