"""From any grader of the book to the reward of each framework, and policies that learn from it."""
