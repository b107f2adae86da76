"""What the contracts say beside their messages: how events travel, who may call a method, which task types exist."""
