"""Which contracts the gateway knows, by any description, and everything it says of them."""
