"""`statusproxy try`: recorded webhooks and answers, played through the domain offline, each outcome explained."""
