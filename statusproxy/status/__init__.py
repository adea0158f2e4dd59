"""The domain: what webhooks say, what the map holds, how an answer is corrected. Bytes and values in, values out."""
