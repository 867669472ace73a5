"""What is still to do: the plan, what it is expected to take, and the file that asks for it."""
