"""Generation engines: what turns a request into a prompt."""
