"""The stages of a run: the only place where science and engine meet.

A worker loads the stages that it is given tasks of, and no others.
"""
