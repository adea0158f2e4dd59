"""How well the tests hold: what each test file covers of its own source, and which mutants no one notices."""
