"""The Model Context Protocol at POST /mcp: what an agent may do with Pressroom, as tools."""
