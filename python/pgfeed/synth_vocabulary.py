"""Words and places that the synthetic world is made of: cities, topics, tags, titles.

The cities are real places with coordinates rounded to two decimals; everything that
happens in them is made up. Topics stand in groups: who likes one topic of a group is
likely to like another, which is what lets similar users be found.
"""

from typing import NamedTuple

# City, latitude, longitude; the first is made the largest, sizes fall with the position.
CITIES: tuple[tuple[str, float, float], ...] = (
    ("Berlin", 52.52, 13.40),
    ("Hamburg", 53.55, 9.99),
    ("Vienna", 48.21, 16.37),
    ("Munich", 48.14, 11.58),
    ("Cologne", 50.94, 6.96),
    ("Zurich", 47.38, 8.54),
    ("Frankfurt", 50.11, 8.68),
    ("Stuttgart", 48.78, 9.18),
    ("Leipzig", 51.34, 12.37),
    ("Prague", 50.08, 14.44),
    ("Amsterdam", 52.37, 4.90),
    ("Brussels", 50.85, 4.35),
    ("Lyon", 45.76, 4.84),
    ("Milan", 45.46, 9.19),
    ("Copenhagen", 55.68, 12.57),
    ("Dresden", 51.05, 13.74),
    ("Hanover", 52.38, 9.73),
    ("Nuremberg", 49.45, 11.08),
    ("Geneva", 46.20, 6.14),
    ("Basel", 47.56, 7.59),
    ("Graz", 47.07, 15.44),
    ("Bremen", 53.08, 8.80),
    ("Lindau", 47.55, 9.69),
    ("Innsbruck", 47.27, 11.39),
    ("Bern", 46.95, 7.45),
    ("Linz", 48.31, 14.29),
    ("Salzburg", 47.81, 13.04),
    ("Strasbourg", 48.57, 7.75),
    ("Turin", 45.07, 7.69),
    ("Rotterdam", 51.92, 4.48),
    ("Antwerp", 51.22, 4.40),
    ("Utrecht", 52.09, 5.12),
    ("Ghent", 51.05, 3.72),
    ("Freiburg", 48.00, 7.85),
    ("Mannheim", 49.49, 8.47),
    ("Karlsruhe", 49.01, 8.40),
    ("Augsburg", 48.37, 10.90),
    ("Aachen", 50.78, 6.08),
    ("Kiel", 54.32, 10.14),
    ("Lausanne", 46.52, 6.63),
    ("Brno", 49.20, 16.61),
    ("Bologna", 44.49, 11.34),
    ("Verona", 45.44, 10.99),
    ("Trieste", 45.65, 13.78),
    ("Ljubljana", 46.06, 14.51),
    ("Grenoble", 45.19, 5.72),
    ("Dijon", 47.32, 5.04),
    ("Nancy", 48.69, 6.18),
    ("Metz", 49.12, 6.18),
    ("Mainz", 50.00, 8.27),
    ("Kassel", 51.31, 9.48),
    ("Erfurt", 50.98, 11.03),
    ("Rostock", 54.09, 12.14),
    ("Lucerne", 47.05, 8.31),
    ("Winterthur", 47.50, 8.72),
    ("Constance", 47.66, 9.18),
    ("Ulm", 48.40, 9.99),
    ("Regensburg", 49.01, 12.10),
    ("Passau", 48.57, 13.43),
    ("Bregenz", 47.50, 9.75),
    ("Bolzano", 46.50, 11.35),
    ("Trento", 46.07, 11.12),
    ("Como", 45.81, 9.08),
    ("Lugano", 46.00, 8.95),
    ("Chur", 46.85, 9.53),
    ("Annecy", 45.90, 6.13),
    ("Colmar", 48.08, 7.36),
    ("Trier", 49.75, 6.64),
    ("Bonn", 50.74, 7.10),
    ("Dortmund", 51.51, 7.47),
    ("Essen", 51.46, 7.01),
    ("Duisburg", 51.43, 6.76),
    ("Bielefeld", 52.02, 8.53),
    ("Münster", 51.96, 7.63),
    ("Osnabrück", 52.28, 8.05),
    ("Göttingen", 51.54, 9.92),
    ("Magdeburg", 52.12, 11.63),
    ("Halle", 51.48, 11.97),
    ("Jena", 50.93, 11.59),
    ("Chemnitz", 50.83, 12.92),
    ("Cottbus", 51.76, 14.33),
    ("Potsdam", 52.39, 13.06),
    ("Lübeck", 53.87, 10.69),
    ("Odense", 55.40, 10.39),
    ("Aarhus", 56.16, 10.20),
    ("Malmö", 55.60, 13.00),
    ("Poznan", 52.41, 16.93),
    ("Wroclaw", 51.11, 17.03),
    ("Szczecin", 53.43, 14.55),
    ("Pilsen", 49.75, 13.38),
    ("Bratislava", 48.15, 17.11),
    ("Sopron", 47.68, 16.59),
    ("Klagenfurt", 46.62, 14.31),
    ("Villach", 46.61, 13.86),
    ("Maribor", 46.55, 15.65),
    ("Udine", 46.06, 13.24),
)

# The first word of a title, and the tag that goes with it.
MANNERS: tuple[tuple[str, str], ...] = (
    ("Evening", "evening"),
    ("Weekend", "weekend"),
    ("Beginners'", "beginners"),
    ("Morning", "morning"),
    ("Family", "family"),
    ("Outdoor", "outdoors"),
    ("Intensive", "advanced"),
    ("Small-group", "small-group"),
    ("Lunchtime", "lunchtime"),
    ("Women's", "women"),
    ("English-language", "english"),
    ("Friendly", "social"),
)


class Topic(NamedTuple):
    """A field of interest: what its listings are called and how they are tagged."""

    name: str
    is_paid: bool
    """Whether its listings pay (gigs and jobs) rather than bring people together."""
    nouns: tuple[str, str, str]
    """One noun a scene."""
    tags: tuple[str, ...]
    """Nine tags, three a scene; the topic's name is a tag too."""


def _topic(name: str, is_paid: bool, nouns: str, tags: str) -> Topic:
    return Topic(name, is_paid, tuple(nouns.split(", ")), tuple(tags.split()))


# Groups of five topics.
TOPIC_GROUPS: tuple[tuple[Topic, ...], ...] = (
    (
        _topic(
            "pottery",
            False,
            "pottery class, glazing workshop, raku firing",
            "ceramics clay wheel-throwing glazing kiln stoneware raku sculpting handbuilding",
        ),
        _topic(
            "painting",
            False,
            "watercolour class, oil painting studio, life drawing",
            "watercolour landscape sketching oil-painting canvas portrait drawing "
            "life-drawing charcoal",
        ),
        _topic(
            "textiles",
            False,
            "sewing course, knitting circle, weaving workshop",
            "sewing patterns mending knitting wool crochet weaving looms felt",
        ),
        _topic(
            "woodwork",
            False,
            "carving workshop, furniture course, turning day",
            "carving spoons green-wood furniture joinery restoration turning lathe bowls",
        ),
        _topic(
            "photography",
            False,
            "photo walk, portrait shoot, darkroom night",
            "street-photography photo-walk city-nights portraits studio lighting darkroom "
            "film-photography printing",
        ),
    ),
    (
        _topic(
            "running",
            False,
            "trail run, marathon training, parkrun",
            "trail-running hills endurance marathon intervals half-marathon parkrun jogging five-k",
        ),
        _topic(
            "cycling",
            False,
            "road ride, gravel tour, mountain bike session",
            "road-cycling peloton climbs gravel bikepacking touring mountain-biking "
            "single-track enduro",
        ),
        _topic(
            "climbing",
            False,
            "bouldering session, top-rope evening, multi-pitch tour",
            "bouldering climbing-gym technique top-rope belaying lead-climbing multi-pitch "
            "alpine via-ferrata",
        ),
        _topic(
            "hiking",
            False,
            "summit hike, lakeside walk, hut tour",
            "summits mountains day-hike lakes walking nature hut-tour backpacking wilderness",
        ),
        _topic(
            "swimming",
            False,
            "open water swim, lap training, cold dip",
            "open-water lakes-swim triathlon lap-swimming technique-training pool cold-water "
            "winter-swim sauna",
        ),
    ),
    (
        _topic(
            "jazz",
            False,
            "jam session, big band rehearsal, vocal jazz night",
            "jam-session improvisation swing big-band saxophone brass jazz-vocals standards "
            "piano-bar",
        ),
        _topic(
            "choir",
            False,
            "choir rehearsal, gospel project, a cappella group",
            "singing classical-choir oratorio gospel soul spirituals a-cappella pop-choir "
            "barbershop",
        ),
        _topic(
            "dance",
            False,
            "salsa night, tango class, swing dance social",
            "salsa bachata latin tango milonga argentine lindy-hop swing-dance charleston",
        ),
        _topic(
            "theatre",
            False,
            "improv night, stage workshop, musical rehearsal",
            "improv comedy games stage-acting scenes monologues musical-theatre stage-singing "
            "costumes",
        ),
        _topic(
            "guitar",
            False,
            "fingerstyle course, rock band session, songwriters' circle",
            "fingerstyle acoustic classical-guitar electric-guitar rock band songwriting "
            "lyrics open-mic",
        ),
    ),
    (
        _topic(
            "cooking",
            False,
            "pasta evening, vegan supper, curry workshop",
            "pasta italian dough vegan vegetables plant-based curry indian spices",
        ),
        _topic(
            "baking",
            False,
            "sourdough course, cake decorating class, pastry day",
            "sourdough bread fermentation cakes decorating fondant pastry croissants patisserie",
        ),
        _topic(
            "wine",
            False,
            "wine tasting, natural wine evening, vineyard walk",
            "tasting red-wine riesling natural-wine organic orange-wine vineyards wine-walk cellar",
        ),
        _topic(
            "gardening",
            False,
            "allotment day, balcony gardening course, orchard workday",
            "allotment compost seeds balcony herbs urban-gardening orchard pruning beekeeping",
        ),
        _topic(
            "foraging",
            False,
            "mushroom walk, wild herb tour, fermenting workshop",
            "mushrooms woods identification wild-herbs meadow teas fermenting kimchi preserves",
        ),
    ),
    (
        _topic(
            "programming",
            True,
            "Python project, web frontend job, embedded firmware task",
            "python scripting automation javascript frontend web-design embedded firmware rust",
        ),
        _topic(
            "design",
            True,
            "logo commission, app design job, illustration gig",
            "logo branding typography ux app-design prototyping illustration editorial comics",
        ),
        _topic(
            "writing",
            True,
            "translation job, copywriting gig, proofreading task",
            "translation french-text localisation copywriting newsletters marketing "
            "proofreading theses editing",
        ),
        _topic(
            "video",
            True,
            "video edit, event filming, animation job",
            "video-editing colour-grading shorts filming events camera animation "
            "motion-graphics explainer",
        ),
        _topic(
            "data",
            True,
            "dashboard job, survey analysis, machine learning task",
            "dashboards sql reporting surveys statistics spreadsheets machine-learning "
            "models notebooks",
        ),
    ),
    (
        _topic(
            "moving",
            True,
            "moving help, van driver job, furniture assembly",
            "boxes carrying stairs van driving transport assembly flat-pack drilling",
        ),
        _topic(
            "cleaning",
            True,
            "flat cleaning, office cleaning shift, window cleaning",
            "flat-cleaning weekly ironing office-cleaning night-shift facility windows "
            "shopfront ladders",
        ),
        _topic(
            "repair",
            True,
            "bicycle repair, electronics repair, plumbing job",
            "bicycle-repair brakes gears electronics soldering phones plumbing taps bathroom",
        ),
        _topic(
            "petcare",
            True,
            "dog walking, cat sitting, horse care job",
            "dog-walking puppies parks cat-sitting holidays feeding horses stable riding",
        ),
        _topic(
            "gardenwork",
            True,
            "lawn mowing, hedge trimming, tree surgery job",
            "lawn mowing-work leaves hedges trimming shears tree-work chainsaw arborist",
        ),
    ),
    (
        _topic(
            "tutoring",
            True,
            "maths tutoring, German tutoring, physics tutoring",
            "maths algebra exam-prep german grammar school physics chemistry lab",
        ),
        _topic(
            "childcare",
            True,
            "babysitting, school pick-up, holiday camp job",
            "babysitting toddlers nights-in school-run homework afternoons holiday-camp "
            "games-outside sports-kids",
        ),
        _topic(
            "languages",
            False,
            "Spanish conversation, French tandem, Japanese course",
            "spanish conversation tapas french tandem cinema japanese kanji anime",
        ),
        _topic(
            "care",
            True,
            "shopping errand, companion visit, physiotherapy aid shift",
            "shopping errands groceries companionship seniors reading-aloud physiotherapy "
            "mobility exercises",
        ),
        _topic(
            "volunteering",
            False,
            "food bank shift, park clean-up, mentoring evening",
            "food-bank sorting kitchen clean-up rivers litter mentoring refugees applications",
        ),
    ),
    (
        _topic(
            "boardgames",
            False,
            "strategy game night, role-playing session, party game evening",
            "strategy euro-games economics role-playing fantasy campaign party-games deduction "
            "trivia",
        ),
        _topic(
            "chess",
            False,
            "blitz evening, chess training, tournament",
            "blitz bullet park-chess openings endgames coaching tournament rated team-league",
        ),
        _topic(
            "film",
            False,
            "film club, documentary night, silent film with piano",
            "film-club arthouse discussion documentary journalism politics silent-film "
            "classics live-piano",
        ),
        _topic(
            "yoga",
            False,
            "vinyasa class, yin evening, meditation hour",
            "vinyasa flow strength yin stretching breathwork meditation mindfulness silence",
        ),
        _topic(
            "football",
            False,
            "five-a-side match, women's football training, walking football",
            "five-a-side indoor-football mixed womens-football league training "
            "walking-football veterans fitness",
        ),
    ),
)

TOPICS: tuple[Topic, ...] = tuple(topic for group in TOPIC_GROUPS for topic in group)

TAGS: tuple[str, ...] = (
    tuple(topic.name for topic in TOPICS)
    + tuple(tag for topic in TOPICS for tag in topic.tags)
    + tuple(tag for _, tag in MANNERS)
)
"""Every tag of the world: topic names, then nine a topic, then the manners."""
