"""A large language model as judge: it is asked for a mark from 0 to 10 by the paper's seven factors (section 4.2)."""
