/** How many runs each test of a campaign makes: `make campaign RUNS=20`. */
export const runs = Number(process.env["CAMPAIGN_RUNS"] ?? 20);

/** What decides the random choices of a campaign; the same one repeats them: `make campaign SEED=7`. */
export const seed = Number(process.env["CAMPAIGN_SEED"] ?? 7);

console.log(`campaign: repeat it with make campaign RUNS=${runs} SEED=${seed}`);
