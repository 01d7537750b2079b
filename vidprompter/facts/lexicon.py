"""Closed word lists that several parts read: colours, light, style, gender, numbers, what no camera sees."""

from __future__ import annotations

COLORS = frozenset(
    "black white gray grey silver red crimson scarlet maroon orange amber brown tan beige cream gold golden "
    "yellow green emerald olive teal turquoise cyan blue navy azure purple violet lavender pink magenta".split()
)

# What a light word says of level and temperature; words that say neither are left out.
LIGHT_LEVEL = {
    "dark": "dark", "darkness": "dark", "night": "dark", "nighttime": "dark", "midnight": "dark",
    "pitch-black": "dark", "moonlit": "dark", "dim": "dim", "dimly": "dim", "shadowy": "dim", "gloomy": "dim",
    "twilight": "dim", "dusk": "dim", "overcast": "soft", "soft": "soft", "softly": "soft", "diffused": "soft",
    "gentle": "soft", "misty": "soft", "bright": "bright", "brightly": "bright", "sunny": "bright",
    "sunlit": "bright", "dazzling": "bright", "radiant": "bright", "daylight": "bright", "well-lit": "bright",
}  # fmt: skip
LIGHT_TEMPERATURE = {
    "warm": "warm", "golden": "warm", "amber": "warm", "sunset": "warm", "sunrise": "warm", "candlelight": "warm",
    "cool": "cool", "cold": "cool", "bluish": "cool", "icy": "cool", "moonlight": "cool", "neon": "cool",
}  # fmt: skip
LIGHT_NOUNS = frozenset(
    "light lights lighting lit sunlight daylight moonlight glow glowing illuminated illumination illuminating "
    "sunlit backlit rays shadows shadow brightness bathed".split()
)

STYLE_WORDS = frozenset(
    "style cinematic realistic photorealistic documentary animated animation cartoon cartoonish painterly "
    "watercolor impressionist anime surreal minimalist vintage retro noir dreamy futuristic cyberpunk "
    "aesthetic naturalistic stylized monochrome black-and-white atmosphere atmospheric mood palette tones "
    "film filmic artistic moody vibrant nostalgic dramatic".split()
)
SHOT_WORDS = frozenset(
    "camera shot close-up closeup wide-angle angle viewpoint framing framed lens pan zoom tilt handheld "
    "static aerial overhead tracking dolly frame view foreground background perspective".split()
)

FEMALE = frozenset("she her hers herself woman women girl girls lady ladies female mother daughter".split())
MALE = frozenset("he him his himself man men boy boys guy male gentleman gentlemen father son".split())
GENDERED = FEMALE | MALE

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
NUMBER_WORDS = {v: k for k, v in NUMBERS.items()}

# What no camera sees: sentences about it are of no use to a video model.
UNSEEN = frozenset(
    "sound sounds scent scents smell smells aroma aromas fragrance fragrant music melody melodies hum humming "
    "chirp chirping chirps audible hear heard silence quietly echo echoes echoing whisper whispers soundtrack "
    "narration tune ambient noise taste".split()
)

# Nouns that name no thing a detector could find.
ABSTRACT = frozenset(
    "scene scenes sense air atmosphere ambiance ambience moment moments time background foreground setting "
    "backdrop view frame shot camera video image focus mood feeling contrast beauty detail details style tone "
    "tones hue hues color colors colour colours palette light lights lighting sunlight shadow shadows glow "
    "reflection reflections movement movements motion expression side edge center distance surface world life "
    "energy tranquility serenity peace calm elegance charm texture textures array mix variety touch series "
    "course set kind type part way line lines day night morning evening afternoon sunset sunrise dusk dawn "
    "sun sky weather season space area place position environment surroundings landscape element elements "
    "composition perspective angle depth clarity feature features design pattern patterns shape form effect "
    "nature breeze wind anticipation joy excitement focus gaze smile look viewer audience story journey "
    "exploration experience display dance rhythm pace presence silhouette aura quality essence moonlight".split()
)

PLACES = frozenset(
    "park street road highway alley city village town forest woods jungle beach shore coast ocean sea lake "
    "river pond waterfall mountain mountains hill hills valley canyon desert field meadow garden yard farm "
    "barn kitchen bedroom bathroom room office classroom school library restaurant cafe bar shop store market "
    "mall supermarket hospital church temple cathedral castle palace museum gallery theater stage stadium "
    "arena gym court pool rink station airport train bus car cockpit bridge tunnel harbor dock pier rooftop "
    "balcony courtyard plaza square playground studio workshop factory warehouse garage laboratory spaceship "
    "underwater cave glacier snowfield ski-slope track racetrack ranch vineyard greenhouse corridor hallway "
    "lobby staircase attic basement cabin cottage house apartment skyscraper cliff island volcano swamp".split()
)

# Parts of things, which come with the things themselves.
PARTS = frozenset(
    "tail fur mane coat feather wing beak hoof paw horn whisker leaf petal branch trunk wheel window door handle label cap "
    "neck surface skin shell fin claw stripe tyre tire headlight windshield roof wall floor ceiling ground".split()
)
# What a setting holds as a matter of course.
SETTING_HOLDS = {
    "grass": "field meadow lawn garden tree flower plant hill wildflower blade greenery",
    "field": "grass meadow tree flower plant hill soil fence horizon",
    "mountains": "mountain peak ridge valley rock cliff hill slope snow forest tree cloud trail path stone landscape",
    "mountain": "mountain peak ridge valley rock cliff hill slope snow forest tree cloud trail path stone landscape",
    "street": "road building sidewalk pavement city asphalt storefront shop lamp",
    "road": "street highway asphalt lane pavement sidewalk",
    "city": "building street road skyscraper tower",
    "room": "furniture curtain carpet rug table chair",
    "beach": "sand sea ocean wave shore water coast",
    "sea": "water wave ocean shore coast horizon",
    "water": "wave sea lake river ripple shore",
    "lake": "water wave shore ripple tree",
    "forest": "tree path trail moss fern shrub bush",
    "kitchen": "counter countertop stove sink cabinet table",
    "sky": "cloud horizon",
    "snow": "ice mountain tree",
    "car interior": "car seat dashboard vehicle",
}
