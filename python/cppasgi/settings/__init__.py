"""What a server can be told, and what such values may be; the ground on which the wings stand."""
