"""Closed word lists of the rubric, beside those of `vidprompter.facts.lexicon`."""

from __future__ import annotations

import re

WEATHER = frozenset(
    "weather rain rains rainy raining raindrops rainfall drizzle storm storms stormy thunderstorm thunder lightning snow snows "
    "snowy snowing snowfall snowflakes blizzard fog foggy mist misty haze hazy cloud clouds cloudy overcast sunny sunshine "
    "wind winds windy windswept breeze breezy gust gusts clear frost frosty icy hail humid dry-weather rainbow cloudless".split()
)
TIME = frozenset(
    "day daytime daylight morning noon midday afternoon evening night nighttime midnight dawn dusk sunrise sunset twilight "
    "moonlit moonlight moonlight starry sunlit spring summer autumn fall winter century era medieval ancient future hour "
    "today years time-lapse".split()
)
# Verbs that show something change its place or pose.
MOTION = frozenset(
    "walk run jump move turn fly swim ride drive climb fall rise dance roll slide glide drift float spin rotate swing "
    "sway wave jog sprint hop leap skip crawl creep stroll march race rush dash hurry soar dive sink sail paddle row ski "
    "skate surf flow stream pour drip splash flutter flap bounce shake tremble nod lean bend bow stretch reach lift raise "
    "lower drop throw toss catch kick hit punch push pull drag carry lead follow chase approach enter leave exit pass "
    "cross circle wander roam gallop trot prowl pounce stalk spread swirl twirl whirl ripple crash erupt explode burst "
    "collapse open close fold pick grab hold gesture step stride charge descend ascend hover land zoom travel navigate "
    "propel unfold emerge appear disappear vanish retreat advance shift wag tilt stir mix chop slice knead type write draw "
    "paint play strum clap lick chew bite eat drink gulp sip blow blink wink smile laugh turn rotate weave maneuver lap "
    "cascade scatter whip bob peck dart scurry scamper kneel sit stand rustle sparkle flicker burn glow dim shimmer".split()
)
STILL = re.compile(
    r"\b(?:motionless|stationary|without moving|(?:almost |perfectly |completely )?still|in place|at rest|frozen|"
    r"does not move|barely moves?)\b",
    re.I,
)
SEQUENCE = re.compile(
    r"\b(?:then|next|before|after|afterwards|while|meanwhile|as (?:it|he|she|they|the)|begins? to|starts? to|continues?|"
    r"finally|gradually|slowly|suddenly|eventually|until)\b",
    re.I,
)
POSITION = re.compile(
    r"\b(?:in the (?:cent(?:er|re)|middle|foreground|background|distance|corner|frame)|(?:on|to|at|from) the (?:far )?"
    r"(?:left|right|side|edge|top|bottom|front|back)|in front of|next to|beside|behind|above|below|beneath|underneath|"
    r"under|between|among|near|nearby|alongside|across|along|against|around|amid|amidst|atop|on top of|upon|over|inside|"
    r"outside|within|through|toward|towards|opposite|facing|cent(?:er|re)d|by (?:the|a|an|his|her|its)|"
    r"(?:in|on|at|into|onto) (?:the|a|an|his|her|its|their|one|top))\b",
    re.I,
)
# What a verb's subject may be without anything of the picture being done by it.
NO_DOERS = frozenset(
    "camera shot scene video clip footage view frame image picture lens composition lighting light style atmosphere mood "
    "background backdrop angle perspective focus palette color colour tone overall film description prompt it this that "
    "there which what you i we".split()
)
# Verbs of the picture itself, by which nobody does anything.
NO_ACTIONS = frozenset(
    "be have show feature capture depict create add include see seem display present highlight emphasize convey evoke make "
    "contain set let do".split()
)
BACKDROP = re.compile(r"\b(?:background|backdrop|setting|surroundings|environment|landscape|scenery)\b", re.I)
SHOT = re.compile(
    r"\b(?:shots?|close-?ups?|wide-angle|frame[ds]?|framing|composition|composed|view|footage)\b", re.I
)
ANGLE = re.compile(
    r"\b(?:(?:low|high|wide|dutch|oblique|tilted|dynamic|different|various|side|straight)[- ]angles?|angles?|eye[- ]level|"
    r"overhead|aerial|bird'?s[- ]?eye|worm'?s[- ]?eye|top[- ]down|perspectives?|viewpoints?|point of view|pov|vantage|"
    r"profile|(?:side|front|rear|back) view|drone|over[- ]the[- ]shoulder|first[- ]person|third[- ]person|"
    r"(?:seen|filmed|shot|viewed|captured|looking|viewer|camera\w*)\b[^.!?]{0,40}\b(?:from|above|below|behind|front|side))\b",
    re.I,
)
CAMERA = re.compile(r"\b(?:camera\w*|lens)\b", re.I)

STYLE_VISUAL = re.compile(
    r"\b(?:palettes?|tones?|hues?|vibrant|vivid|saturated|desaturated|muted|pastels?|monochrome|black[- ]and[- ]white|"
    r"sepia|contrast\w*|colou?rful|colou?rs?|textures?|lighting|glow\w*|luminous|sharp|crisp|grainy|high[- ]definition|"
    r"4k|8k|uhd|hd|visual\w*)\b",
    re.I,
)
STYLE_PHOTO = re.compile(
    r"\b(?:cinematic\w*|photo\w*|film(?:ic)?|documentary|realis\w+|realistic\w*|hyper-?realis\w+|naturalistic|bokeh|"
    r"depth of field|shallow focus|soft focus|blurred|exposure|hdr|35mm|lens|macro|slow[- ]motion|time-?lapse|"
    r"backlit|rim light\w*|chiaroscuro|home video|vlog|noir)\b",
    re.I,
)
STYLE_ART = re.compile(
    r"\b(?:styles?|stylized|stylised|aesthetics?|artistic|artwork|painting|painterly|watercolou?r|oil paint\w*|impressionis\w+|"
    r"expressionis\w+|surreal\w*|abstract|anime|cartoon\w*|animat\w+|3d|cgi|pixar|render\w*|illustrat\w+|sketch|comic|"
    r"minimalist\w*|vintage|retro|futuristic|cyberpunk|steampunk|gothic|baroque|dream-?(?:like|y)|whimsical|fantas\w+|"
    r"mood\w*|atmosphere|atmospheric|ambiance|ambience|dramatic\w*|nostalgic|serene|serenity|moody|ethereal|romantic)\b",
    re.I,
)

FRAME_BY_FRAME = re.compile(
    r"\b(?:frame|image|picture|photo|screenshot|still|shot)s?\s*(?:#|no\.?|number)?\s*\d+\b"
    r"|\b(?:first|second|third|fourth|fifth|sixth|next|last|final|following|previous|initial|subsequent|each|every)\s+"
    r"(?:few\s+|couple of\s+)?(?:frame|image|picture|photo|screenshot|keyframe)s?\b"
    r"|\b(?:as the|in these|across the|throughout the)\s+frames\b|\bframe by frame\b"
    r"|\b(?:at|from)\s+\d+(?:\.\d+)?\s*(?:s|sec|secs|seconds?)\b|(?<!\d)\d{1,2}:\d{2}\s*(?:-|\u2013|to|:)",
    re.I,
)
# No description at all: a refusal, or orders to whoever reads it.
REFUSAL = re.compile(
    r"\bas an? (?:ai|language model|assistant|large language)\b"
    r"|\bi(?:'|\u2019)?m sorry\b|\bi am sorry\b|\bi apologi[sz]e\b"
    r"|\bi (?:can(?:no|'|\u2019)?t|am (?:not able|unable)|could not|couldn['\u2019]t|can not|don['\u2019]t have|do not have)\b"
    r"|\bi(?:'|\u2019)m (?:not able|unable)\b|\bplease (?:provide|upload|share)\b"
    r"|\b(?:ignore|disregard|forget)\b[^.!?]{0,30}\b(?:instructions?|rules?|prompts?)\b"
    r"|\b(?:score|rating)\s*:\s*\d|\bevaluation evidence\b",
    re.I,
)
# A description with an assistant's talk around it.
ASSISTANT = re.compile(
    r"^\W*(?:sure|certainly|of course|absolutely|okay|ok|great)\b\s*[,!.:]"
    r"|\bhere(?:'|\u2019)?s? (?:is |are )?(?:a|an|the|your|my|some)\b[^.!?]{0,40}\b(?:prompt|description|caption|version|"
    r"rewrite|answer)s?\b"
    r"|\b(?:let me know|feel free to|hope this helps|would you like|please (?:note|let))\b"
    r"|\b(?:the|your) (?:provided|given|short) (?:prompt|description|text|input)\b"
    r"|\b(?:rewritten|enhanced|revised|detailed|improved|expanded) (?:prompt|description|version)\s*:",
    re.I,
)
MARKUP = re.compile(
    r"```|^\s{0,3}#{1,6}\s|\*\*[^*\n]+\*\*|^\s*[-*\u2022]\s+\S|^\s*\d{1,2}[.)]\s+\S|</?[a-zA-Z][^<>\n]*>|\]\(|"
    r"\{\s*\"|\"\s*:\s*[\"\[{\d]|<\|[^|\n]*\|>|\[/?INST\]|\{\w+\}",
    re.M,
)
