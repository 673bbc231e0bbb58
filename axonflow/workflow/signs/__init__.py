"""Signs in what a run has written that something was given wrong: each file looks at one."""
