"""A travel agency for a day on which half of the flights did not leave."""
