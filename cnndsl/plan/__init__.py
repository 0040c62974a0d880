"""From a graph to an order of steps over one arena. Knows no device."""
