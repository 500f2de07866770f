"""What policies are worth: scores with intervals, paired differences, the safety study, a knowledge test."""
