"""Word lists of the embedded corpus: a call centre that sells, delivers, mends and books. Our own, CC0."""

from __future__ import annotations

from typing import Final

_LISTS: Final = {
    "first": """
        james mary robert patricia john jennifer michael linda david elizabeth william barbara
        richard susan joseph jessica thomas sarah charles karen daniel lisa matthew nancy anthony
        betty mark sandra donald ashley steven emily paul kimberly andrew donna joshua michelle
        kenneth carol kevin amanda brian melissa george deborah timothy stephanie edward rebecca
        jason laura jeffrey sharon ryan cynthia jacob kathleen gary amy nicholas angela eric anna
        jonathan pamela stephen emma larry nicole justin helen scott samantha brandon katherine
        benjamin christine samuel rachel gregory carolyn frank janet alexander maria""",
    "last": """
        smith johnson williams brown jones garcia miller davis wilson anderson taylor moore jackson
        martin lee thompson white harris clark lewis robinson walker young allen wright torres hill
        flores green adams nelson baker hall rivera campbell mitchell carter roberts turner phillips
        evans parker collins edwards stewart morris murphy rogers reed cook morgan peterson cooper
        bailey kelly howard ward watson brooks bennett gray hughes price myers foster sanders ross
        powell sullivan russell fisher henderson hamilton graham reynolds griffin wallace jordan
        woods cole west owens simpson stevens tucker porter hunter hicks crawford henry mason
        kennedy warren dixon burns gordon shaw holmes rice robertson hunt black daniels palmer mills""",
    "city": """
        boston chicago dallas denver detroit houston phoenix portland seattle atlanta miami memphis
        nashville austin baltimore cleveland columbus orlando tampa oakland sacramento richmond
        buffalo omaha tucson toledo london manchester liverpool birmingham glasgow edinburgh bristol
        cardiff belfast dublin leeds oxford cambridge kingston toronto vancouver montreal sydney
        melbourne paris berlin madrid rome vienna dunbarrow kelverton aldermoor tarnbrook""",
    "street": """
        maple oak cedar pine elm walnut chestnut willow birch main church park lake river spring
        mill school station bridge market garden forest meadow valley sunset highland lincoln
        washington franklin madison jefferson monroe""",
    "road": "street road avenue lane drive square court place",
    "product": """
        laptop tablet printer monitor keyboard router modem speaker camera phone charger cable
        battery television radio microwave toaster kettle blender freezer dishwasher oven heater fan
        lamp sofa mattress wardrobe desk chair table bookcase carpet curtain mirror bicycle helmet
        jacket sweater raincoat suitcase backpack umbrella watch necklace bracelet guitar piano
        violin vacuum drill hammer ladder lawnmower telescope microscope projector scanner headset
        thermostat dictionary blanket pillow candle teapot saucepan calculator stapler envelope
        calendar notebook pencil earring wallet handbag stroller""",
    "color": """
        black silver purple yellow orange crimson golden blue red pink navy beige turquoise ivory""",
    "material": "leather wooden metal plastic glass cotton ceramic aluminum",
    "fault": """
        broken damaged scratched cracked missing faulty noisy leaking overheating frozen bent torn
        wet dirty incomplete useless jammed empty stained faded""",
    "service": """
        internet broadband electricity gas water insurance mortgage pension savings checking
        subscription membership warranty maintenance cleaning""",
    "department": """
        billing sales technical complaints delivery accounts security refunds bookings claims
        returns support""",
    "food": """
        chicken salmon pasta pizza salad soup sandwich burger noodles rice steak lobster mushrooms
        potatoes cheese bread butter coffee tea juice lemonade yogurt pancakes omelet spinach
        broccoli carrots onions tomatoes cucumber""",
    "dessert": "chocolate vanilla strawberry lemon apple cherry banana coconut peach raspberry",
    "room": "single double twin family deluxe accessible",
    "transport": "train bus flight ferry taxi coach tram",
    "vehicle": "van truck motorcycle convertible sedan trailer minibus",
    "doctor": """
        dentist surgeon therapist optician pharmacist veterinarian plumber electrician carpenter
        mechanic technician engineer accountant lawyer manager supervisor""",
    "ailment": "headache fever cough rash allergy injury sprain",
    "weekday": "monday tuesday wednesday thursday friday saturday sunday",
    "month": """
        january february march april may june july august september october november december""",
    "daypart": "morning afternoon evening",
    "sector": """
        bank hotel hospital airport restaurant theater museum library stadium university pharmacy
        bakery""",
    "document": """
        passport license certificate receipt invoice contract statement prescription voucher coupon
        application report""",
    "adjective": "urgent important recent final original temporary monthly annual weekly previous",
    "feeling": """
        unhappy delighted confused disappointed satisfied surprised worried annoyed grateful""",
    "relation": """
        husband wife mother father brother sister daughter son neighbor colleague friend partner""",
    "weather": "snow rain storm fog wind ice flooding",
    "setting": "brightness volume language password username signature email address picture alarm",
    "verbthing": "replace repair exchange collect inspect upgrade install return",
    "company": """
        northstar bluebird sunrise evergreen pinnacle horizon liberty summit heritage phoenix""",
    "size": "small medium large tiny enormous",
    "animal": "dog cat rabbit parrot horse hamster",
    "yes": "certainly absolutely definitely correct right exactly perfect wonderful excellent yes",
    "adverb": "immediately tomorrow today tonight soon eventually quickly already",
    "digits": "zero one two three four five six seven eight nine",
    "teens": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "tens": "twenty thirty forty fifty sixty seventy eighty ninety",
    "ordinals": """
        first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
        fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth""",
}
WORDS: Final[dict[str, tuple[str, ...]]] = {name: tuple(text.split()) for name, text in _LISTS.items()}

DIGITS: Final = WORDS["digits"]
TEENS: Final = WORDS["teens"]
TENS: Final = WORDS["tens"]
ORDINALS: Final = WORDS["ordinals"]
