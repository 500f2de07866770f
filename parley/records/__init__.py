"""The nouns that files hold: character, task, episode, rating, sample, score."""
