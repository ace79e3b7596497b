"""Python imports this by itself, at its start: a process that tests start is watched from there on."""

import os

import watched_process

if watched_process.LOG in os.environ:
    watched_process.install()
