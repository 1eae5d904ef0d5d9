//! Ordinary words, from which some generators make names, and people too.

macro_rules! words {
    ($name:ident, $count:literal, $text:literal) => {
        pub const $name: [&str; $count] = split($text);
    };
}

const fn split<const N: usize>(text: &'static str) -> [&'static str; N] {
    let mut words = [""; N];
    let (mut rest, mut count) = (text, 0);
    while !rest.is_empty() {
        let bytes = rest.as_bytes();
        let mut end = 0;
        while end < bytes.len() && bytes[end] != b' ' {
            end += 1;
        }
        let (word, tail) = rest.split_at(end);
        words[count] = word;
        count += 1;
        rest = if tail.is_empty() { tail } else { tail.split_at(1).1 };
    }
    assert!(count == N);
    words
}

words!(
    WORDS,
    434,
    "able about above across action adult after again against agent airport album almost alone along always amount \
    animal answer apple around arrive article autumn average balance banner basket battle beauty because become \
    before begin behind believe better between beyond bicycle blanket border bottle bottom branch bread bridge \
    bright broken brother bucket budget building business button camera cancel candle captain carbon careful \
    carpet castle cattle center century certain chair chamber chance change chapter charge cheese cherry children \
    choice circle citizen classic clean clear climate close cloud coffee college column common company complete \
    control cookie copper corner cotton country couple course cover credit culture current custom daily dance \
    danger daughter decide degree delay demand design desire detail dinner direct distance doctor document dollar \
    double dragon dream drive during eager early earth effect effort eight either electric element engine enough \
    entire escape evening event exact example except exchange expect express extra family famous father feather \
    fellow festival field figure final finger finish fishing flower follow forest forget formal fortune forward \
    fountain freedom fresh friend future garden general gentle glass golden govern grass gravity ground growth \
    habit hammer handle harbor health heart heavy height history holiday honest hotel house hundred hunter ice \
    imagine improve inside island jacket journey judge jungle justice kitchen knife ladder language large laugh \
    leader leather lesson letter level library light listen little local lovely lumber machine magic manner market \
    master matter maximum meadow measure member memory metal method middle million minute mirror modern moment \
    money morning mother motion mountain movie museum music narrow nation nature needle neighbor network night \
    noble noise normal north number object ocean office often orange order outside owner package paint palace \
    paper parent partner party pattern people pepper perfect period person picture pilot planet plastic player \
    pleasure pocket police popular position power present price prince problem process product program promise \
    proper public purple quality quarter question quiet rabbit radio railway rather reader reason record region \
    regular remember repair report rescue result return ribbon river rocket royal rubber safety salmon sample \
    school science screen season second secret senior series service settle seven shadow shelter shoulder signal \
    silver simple single sister smooth social soldier source south special spirit spring square stable station \
    steady stone storm story strange stream street strong student subject success sudden sugar summer sunday \
    supply surface system table talent target teacher temple tender theater thunder ticket tiger timber toward \
    tower town travel treasure trouble tunnel twelve uncle under union unique united useful valley value various \
    village vision voice volume wagon walnut water weather wedding welcome western whisper window winter wisdom \
    within wonder wooden worker world writer yellow young zebra"
);
words!(
    VERBS,
    118,
    "accept add admire admit advise agree allow announce appear apply arrange attach attempt attract avoid balance \
    bake bathe beg behave belong boast bolt book borrow bounce breathe brush bubble bump burn bury call carry \
    cause check choke clap clip coach collect command compare complain connect consider contain copy cough count \
    cover crash crawl cure cycle damage deceive decorate deliver depend describe deserve destroy develop discover \
    divide double drag drain dress drop earn educate employ encourage enjoy enter examine excuse exercise expand \
    explain explode extend face fade fasten fear fence fetch fill film fire fit fix flap float flood flow fold \
    follow fool force form found frame frighten fry gather gaze glow glue grab greet grip guard guess guide"
);
words!(
    NOUNS,
    117,
    "account act air angle animal apple arch arm army baby bag ball band basin basket bath bed bee bell berry bird \
    blade board boat bone book boot bottle box boy brain brake branch brick bridge brush bucket bulb button cake \
    camera card carriage cart cat chain cheese chest chin church circle clock cloud coat collar comb cord cow cup \
    curtain cushion dog door drain drawer dress drop ear egg engine eye face farm feather finger fish flag floor \
    fly foot fork fowl frame garden girl glove goat gun hair hammer hand hat head heart hook horn horse hospital \
    house island jewel kettle key knee knife knot leaf leg library line lip lock map match monkey moon mouth"
);
// Japanese in Latin letters: names of places, families and firms.
words!(
    ROMAJI,
    267,
    "aeon aichi aioi ajinomoto akihabara akita ameba ando aoki aomori arai asahi asakusa astellas bic bridgestone \
    butsuryu byoin canon chiba chubu chugai chugoku chunichi daigaku daiichi daikin daiso daiwa denki dmm docomo \
    edion ehime eisai endo familymart fanuc fudosan fujii fujimoto fujita fujitsu fukuda fukui fukuoka fukushima \
    gakuen gifu ginko ginza goo goto gunma gurunavi hamamatsu harada hasegawa hashimoto hatena hayashi hikari \
    hirano hiroshima hitachi hoken hokkaido honda hyogo ibaraki ikebukuro ikeda imai inoue ishida ishii ishikawa \
    ito-yokado itochu iwasaki iwate jalan kagaku kagawa kagoshima kaigo kakaku kanagawa kaneko kansai kanto kao \
    kasumigaseki kawasaki kddi kensetsu keyence kikkoman kikuchi kimura kinki kinoshita kirin kitakyushu kobayashi \
    kobe kochi kogyo kojima kokusai komatsu kondo kubo kubota kudo kumamoto kuronekoyamato kyobashi kyocera kyoto \
    kyushu lawson lion livedoor maeda mainichi marubeni marunouchi maruyama masuda matsu matsuda matsui matsumoto \
    matsuo mazda meiji mercari mie mirai mitsubishi mitsui miura miyagi miyamoto miyazaki mizuho morinaga morita \
    muji murakami murata nagano nagasaki nagoya nakagawa nakajima nakamura nakayama nara niconico nihonbashi \
    niigata nikkei nikon nippon nishimura nissan nissin nitori noguchi nomura ohno oita okada okamoto okayama \
    okinawa omron onishi ono osaka ota otemachi otsuka panasonic rakuten resona ricoh roppongi saga sagawa saitama \
    sakai sakamoto sakura sakurai sangyo sankei sano sapporo sasaki seiko sendai seven sharp shibata shibuya shiga \
    shikoku shimane shimizu shinbun shinjuku shinkin shiseido shizuoka shoji shokai softbank sony subaru sugawara \
    sugimoto sugiyama sumitomo suntory suzuki tabelog takada takagi takahashi takeda takeuchi tamura taniguchi \
    tochigi tohoku tokio tokushima tokyo toshiba tottori toyama toyota uchida ueda ueno ume unicharm uniqlo unyu \
    wada wakayama watanabe yamada yamagata yamaguchi yamaha yamamoto yamanashi yamazaki yodobashi yokohama \
    yokoyama yomiuri yoshida"
);
