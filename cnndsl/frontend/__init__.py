"""From `.cnn` text to a network and back. The only room that knows lark."""
