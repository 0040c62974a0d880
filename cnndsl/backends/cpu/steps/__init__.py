"""From a plan's steps to kernel calls: one family of steps, one file."""
