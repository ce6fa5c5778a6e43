"""What can be said of a number that comes from few images: intervals, tests, corrections, effect sizes.

Images of one group (a video, a patient) aren't independent: whole groups are drawn and whole groups change sides.
Images without a group each are a unit of their own.
"""
