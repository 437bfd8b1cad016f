"""What is known of a structure on a film: the values of a batch's `known`, (B, structures)."""

DRAWN = 1  # it is drawn; 0: it is not
WITH_HEART = 2  # a lung, drawn with the heart's shadow inside; see `unet.losses.asked_of` for what that says
