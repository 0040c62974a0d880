"""The graph of a network, its types and its checks. The only room that knows networkx."""
