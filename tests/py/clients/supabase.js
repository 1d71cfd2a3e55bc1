// What an application does with supabase-js and postgrest-js, unmodified, at /rest/v1/.
//
// Reads {url, token, listing} as JSON from standard input, answers what each call answered.

const path = require("node:path");
const { createRequire } = require("node:module");
const fromTools = createRequire(path.join(process.env.NODE_MODULES, "_.js"));
const { createClient } = fromTools("@supabase/supabase-js");
const { PostgrestClient } = fromTools("@supabase/postgrest-js");

async function useClient(client, { listing, miles }) {
  const { data: before } = await client.rpc("get_feed", { limit: 5 });
  const trending = await client
    .from("trending")
    .select("listing_id,trending_score")
    .order("trending_score", { ascending: false })
    .limit(3);
  const preferences = await client
    .from("preferences")
    .update({ max_distance: miles, preferred_tags: ["Jazz"] })
    .not("user_uid", "is", null)
    .select()
    .single();
  const feedByGet = await client
    .rpc("get_feed", {}, { get: true })
    .select("rank,listing_id,score")
    .limit(1);
  const tracked = await client.rpc("track_interaction", {
    listing_id: listing,
    type: "dismiss",
    metadata: { from: "a test" },
  });
  const { data: after } = await client.rpc("get_feed", { limit: 5 });
  const refused = await client.rpc("get_feed", { limit: 0 });
  const unknown = await client.from("preferences").update({ colour: "red" }).gt("max_distance", 0);
  return {
    before: before.map((row) => row.listing_id),
    trending: [trending.status, trending.data],
    preferences: [preferences.status, preferences.data],
    feed_by_get: [feedByGet.status, feedByGet.data],
    tracked: [tracked.status, tracked.data],
    after: after.map((row) => row.listing_id),
    refused: [refused.status, refused.error],
    unknown: [unknown.status, unknown.error],
  };
}

async function main() {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  const { client, url, token, listing } = JSON.parse(input);
  const headers = { Authorization: `Bearer ${token}` };
  const made =
    client === "supabase-js"
      ? createClient(url, token, {
          global: { headers },
          auth: { persistSession: false, autoRefreshToken: false },
        })
      : new PostgrestClient(`${url}/rest/v1`, { headers, schema: "api" });
  process.stdout.write(JSON.stringify(await useClient(made, { listing, miles: 20 })));
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
