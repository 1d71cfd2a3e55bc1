-- Who may see a digest: the owner alone, since it names the poster.

alter table feed.listing_digests enable row level security;
