"""Lesson `resume`: fans who are cut off and come back."""
