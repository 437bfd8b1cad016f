-- The predicted Dice of each structure beside that of both lungs; NULL where the checkpoint cannot say, and in rows of earlier releases.

ALTER TABLE prediction ADD COLUMN predicted_dice_right_lung REAL CHECK (predicted_dice_right_lung BETWEEN 0 AND 1);
ALTER TABLE prediction ADD COLUMN predicted_dice_left_lung REAL CHECK (predicted_dice_left_lung BETWEEN 0 AND 1);
ALTER TABLE prediction ADD COLUMN predicted_dice_heart REAL CHECK (predicted_dice_heart BETWEEN 0 AND 1);
