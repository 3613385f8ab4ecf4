"""The networks of the face swap, one file each."""
