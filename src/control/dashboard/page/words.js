// Every word of the page, in both languages. {…} stands for what is put in.

export const WORDS = {
  en: {
    "skip": "Skip to the state",
    "language": "Language", "theme": "Colours",
    "theme.auto": "Auto", "theme.light": "Light", "theme.dark": "Dark",
    "pause": "Pause",
    "link.connecting": "Connecting …", "link.live": "Live", "link.paused": "Paused",
    "link.lost": "No connection; trying again", "link.full": "All eight seats are taken; trying again",
    "state.unknown": "Waiting for the server …",
    "state.good": "All is well", "state.warning": "Working, but this wants a look", "state.bad": "Clients are affected",
    "state.stale": "No news since {time}. Last known: {state}",
    "facts.servers": "{up} of {all} upstream servers answer", "facts.servers.none": "No upstream servers",
    "facts.zones": "{zones} zones with {records} records", "facts.zones.one": "one zone with {records} records", "facts.uptime": "up for {time}",
    "level.warning": "Note", "level.bad": "Fault",
    "c.not-ready": "This server does not answer queries: {subject}",
    "c.upstream-down": "No server of upstream {subject} answers: {number} of {number} are down",
    "c.server-down": "Server {object} of upstream {subject} is down; the others answer in its place",
    "c.server-flaps": "Server {object} of upstream {subject} went down {number} times in ten minutes",
    "c.quarantine": "Upstream {subject} sends questions for {object} back to us; it is not asked for them for {number} s",
    "c.many-servfail": "{number} of the answers are SERVFAIL",
    "c.overloaded": "Queries are refused because too many are waiting: {number} in ten seconds",
    "c.log-loses": "The query log loses lines: {number} in ten seconds",
    "c.reload-failed": "The last reload failed, so the configuration before it is still in force: {subject}",
    "c.on-trial": "{subject} is in force on trial; unless it is confirmed within {number} s, the configuration before it returns",
    "c.alerts": "Detectors found anomalies in the last 24 hours: {number}",
    "c.left": "and {number} more",
    "since": "since {time}, {ago}",
    "figures": "Now",
    "qps": "Queries per second", "hit": "Answered from cache", "p95": "95 % answered within", "servfail": "SERVFAIL",
    "waiting": "Waiting for a source", "tcp": "TCP connections",
    "chart.qps": "Queries per second", "chart.hit": "Cache and failures",
    "key.hit": "answered from cache", "key.servfail": "SERVFAIL",
    "chart.qps.says": "Queries per second over the last five minutes: now {now}, highest {most}, lowest {least}",
    "chart.hit.says": "Over the last five minutes: now {hit} from cache, {servfail} SERVFAIL",
    "at.qps": "{time}: {qps} per second, 95 % within {p95}", "at.hit": "{time}: {hit} from cache, {servfail} SERVFAIL",
    "ago.now": "now", "ago.minutes": "{number} min ago",
    "lately": "last 10 seconds",
    "latency": "Time to answer", "latency.of": "Answers", "latency.note": "Half, 95 and 99 of a hundred answers took no longer; estimated within buckets.",
    "latency.all": "all", "latency.here": "from here", "latency.outside": "from outside", "latency.usual": "usual time",
    "p50": "p50 ms", "p95.short": "p95 ms", "p99": "p99 ms",
    "rate": "per second", "part": "share", "total": "since start", "count": "queries",
    "sources": "Where answers come from", "source": "source",
    "source.answer-cache": "answer cache", "source.response-cache": "response cache", "source.stale": "stale, source is silent",
    "source.zone": "zones", "source.forward": "upstreams", "source.recurse": "recursion", "source.local": "this server itself",
    "rcodes": "Response codes", "rcode": "code",
    "upstreams": "Upstreams", "upstreams.note": "Last hour: a low line is up, a full block is down.",
    "upstream": "upstream", "server": "server", "server.state": "state", "timeline": "last hour", "flaps": "went down",
    "failing": "failing per second", "backup": "backup",
    "state.up": "● up", "state.suspect": "◐ failed lately", "state.down": "■ down",
    "timeline.up": "up for the whole of the last hour", "timeline.says": "Last hour: down {times}; in all {time} down",
    "times": "{number}×",
    "none.upstreams": "No upstreams are configured.", "none.yet": "Nothing was asked yet.", "none.failing": "No name failed.",
    "none.traffic": "No queries in the last 10 seconds.", "none.alerts": "Nothing odd was found.",
    "left": "{number} more are not shown",
    "names": "Names asked most", "failing.names": "Names that fail most", "clients": "Busiest clients",
    "name": "name", "client": "client", "span": "last {time}; counted while you look", "over": "{count}, up to {over} too high",
    "views": "Views", "view": "view", "networks": "networks",
    "routes": "Routes", "route": "route", "target": "leads to",
    "kind.zone": "zone", "kind.forward": "forward", "kind.forward.to": "forward to {target}", "kind.recurse": "recursion", "kind.refuse": "refused",
    "explain": "Explain an answer", "explain.note": "What a client would be answered, and why. No packet is sent.", "type": "type", "explain.go": "Explain",
    "explain.who": "{client} is in network {network}, view {view}.", "explain.nobody": "{client} is in no network.",
    "explain.answer": "Answer: {outcome}", "explain.then": "then {name} {type}", "explain.first": "{name} {type}",
    "explain.noroute": "No route that this network sees.",
    "explain.asks": "asks {servers}", "explain.waits": "waits {each} ms for one server, {all} ms in all",
    "explain.keeps": "keeps the answer {ttl} s at most, a negative one {negative} s",
    "explain.wrong": "{field}: {reason}", "explain.failed": "The server gave no explanation. Try again.",
    "fate.won": "✓ answers", "fate.passed": "↓ passes on", "fate.possible": "? asked first", "fate.lost": "– not reached", "fate.unseen": "× not seen",
    "alerts": "Anomalies", "reloads": "Configuration", "caches": "Caches", "cache": "cache", "entries": "entries", "fill": "filled",
    "configuration": "{file}, in force since {time}",
    "reload.success": "✓ reloaded", "reload.failure": "■ failed", "reload.none": "Not reloaded since the start.",
    "cache.answer": "answers, of all workers", "cache.response": "responses, shared",
    "foot": "Kakehashi {version} · {workers} workers · counted while somebody looks",
    "unit.ms": "{number} ms", "unit.s": "{number} s", "unit.min": "{number} min", "unit.h": "{number} h", "unit.d": "{number} d",
  },
  ja: {
    "skip": "稼働状態へ移動",
    "language": "言語", "theme": "配色",
    "theme.auto": "自動", "theme.light": "ライト", "theme.dark": "ダーク",
    "pause": "一時停止",
    "link.connecting": "接続しています…", "link.live": "リアルタイム更新中", "link.paused": "一時停止中",
    "link.lost": "接続が切れました。再接続しています", "link.full": "同時に閲覧できるのは8人までです。空きを待っています",
    "state.unknown": "サーバーからの情報を待っています…",
    "state.good": "すべて正常です", "state.warning": "稼働中ですが、確認が必要です", "state.bad": "クライアントに影響が出ています",
    "state.stale": "{time} 以降の情報がありません。最後に確認した状態：{state}",
    "facts.servers": "アップストリームサーバー {all} 台中 {up} 台が応答", "facts.servers.none": "アップストリームなし",
    "facts.zones": "{zones} ゾーン、{records} レコード", "facts.zones.one": "1 ゾーン、{records} レコード", "facts.uptime": "稼働時間 {time}",
    "level.warning": "注意", "level.bad": "障害",
    "c.not-ready": "このサーバーはクエリに応答できません：{subject}",
    "c.upstream-down": "アップストリーム {subject} のサーバーが1台も応答しません（{number} 台すべて停止）",
    "c.server-down": "アップストリーム {subject} のサーバー {object} が停止しています。ほかのサーバーが代わりに応答しています",
    "c.server-flaps": "アップストリーム {subject} のサーバー {object} が10分間に {number} 回停止しました",
    "c.quarantine": "アップストリーム {subject} が {object} の問い合わせをこちらへ送り返しています（ループ）。あと {number} 秒間は問い合わせません",
    "c.many-servfail": "応答の {number} が SERVFAIL です",
    "c.overloaded": "処理待ちが多すぎるため、クエリを拒否しています（10秒間に {number} 件）",
    "c.log-loses": "クエリログに記録できない行があります（10秒間に {number} 行）",
    "c.reload-failed": "直近の再読み込みに失敗しました。以前の設定のまま稼働しています：{subject}",
    "c.on-trial": "{subject} を試験適用しています。{number} 秒以内に確定しなければ、以前の設定に戻ります",
    "c.alerts": "直近24時間に異常を検知しました：{number} 件",
    "c.left": "ほか {number} 件",
    "since": "{time} から（{ago}）",
    "figures": "現在の値",
    "qps": "クエリ数／秒", "hit": "キャッシュ応答率", "p95": "95% の応答時間", "servfail": "SERVFAIL の割合",
    "waiting": "応答待ち", "tcp": "TCP 接続数",
    "chart.qps": "クエリ数／秒", "chart.hit": "キャッシュ応答率と失敗",
    "key.hit": "キャッシュから応答", "key.servfail": "SERVFAIL",
    "chart.qps.says": "直近5分間の1秒あたりクエリ数。現在 {now}、最大 {most}、最小 {least}",
    "chart.hit.says": "直近5分間。現在のキャッシュ応答率 {hit}、SERVFAIL {servfail}",
    "at.qps": "{time}：毎秒 {qps} 件、95% が {p95} 以内", "at.hit": "{time}：キャッシュ {hit}、SERVFAIL {servfail}",
    "ago.now": "現在", "ago.minutes": "{number} 分前",
    "lately": "直近10秒間",
    "latency": "応答時間", "latency.of": "応答元", "latency.note": "応答の 50%、95%、99% が収まる時間です（区間内の推定値）。",
    "latency.all": "全体", "latency.here": "このサーバー内", "latency.outside": "外部への問い合わせ", "latency.usual": "通常の応答時間",
    "p50": "p50 ms", "p95.short": "p95 ms", "p99": "p99 ms",
    "rate": "毎秒", "part": "割合", "total": "起動後の累計", "count": "クエリ数",
    "sources": "応答の内訳", "source": "応答元",
    "source.answer-cache": "応答キャッシュ", "source.response-cache": "共有キャッシュ", "source.stale": "期限切れキャッシュ（応答元が無応答）",
    "source.zone": "ゾーン", "source.forward": "アップストリーム", "source.recurse": "再帰検索", "source.local": "サーバー自身",
    "rcodes": "応答コード", "rcode": "コード",
    "upstreams": "アップストリーム", "upstreams.note": "直近1時間の推移。細い線は稼働、塗りつぶしは停止を表します。",
    "upstream": "アップストリーム", "server": "サーバー", "server.state": "状態", "timeline": "直近1時間", "flaps": "停止回数",
    "failing": "失敗／秒", "backup": "予備",
    "state.up": "● 稼働", "state.suspect": "◐ 直近に失敗", "state.down": "■ 停止",
    "timeline.up": "直近1時間は停止なし", "timeline.says": "直近1時間の停止 {times}、停止時間の合計 {time}",
    "times": "{number} 回",
    "none.upstreams": "アップストリームは設定されていません。", "none.yet": "まだクエリがありません。", "none.failing": "失敗した名前はありません。",
    "none.traffic": "直近10秒間のクエリはありません。", "none.alerts": "異常は見つかっていません。",
    "left": "ほか {number} 件は省略しています",
    "names": "問い合わせの多い名前", "failing.names": "失敗の多い名前", "clients": "クエリの多いクライアント",
    "name": "名前", "client": "クライアント", "span": "直近 {time}（閲覧中のみ集計）", "over": "{count} 件（最大 {over} 件の過大評価）",
    "views": "ビュー", "view": "ビュー", "networks": "ネットワーク数",
    "routes": "ルート", "route": "ルート", "target": "行き先",
    "kind.zone": "ゾーン", "kind.forward": "転送", "kind.forward.to": "{target} へ転送", "kind.recurse": "再帰検索", "kind.refuse": "拒否",
    "explain": "応答の根拠を調べる", "explain.note": "クライアントへの応答内容とその理由を表示します。実際の問い合わせは行いません。", "type": "タイプ", "explain.go": "調べる",
    "explain.who": "{client} はネットワーク {network}、ビュー {view} に属しています。", "explain.nobody": "{client} はどのネットワークにも属していません。",
    "explain.answer": "応答：{outcome}", "explain.then": "続いて {name} {type}", "explain.first": "{name} {type}",
    "explain.noroute": "このネットワークから見えるルートはありません。",
    "explain.asks": "問い合わせ先 {servers}", "explain.waits": "待ち時間は1台につき {each} ms、全体で {all} ms まで",
    "explain.keeps": "応答の保持は最長 {ttl} 秒、否定応答は {negative} 秒",
    "explain.wrong": "{field}：{reason}", "explain.failed": "サーバーから結果を取得できませんでした。もう一度お試しください。",
    "fate.won": "✓ 応答する", "fate.passed": "↓ 次へ", "fate.possible": "? まず問い合わせ", "fate.lost": "– 到達しない", "fate.unseen": "× 見えない",
    "alerts": "異常検知", "reloads": "設定", "caches": "キャッシュ", "cache": "種類", "entries": "件数", "fill": "使用率",
    "configuration": "{file}（{time} から有効）",
    "reload.success": "✓ 再読み込み成功", "reload.failure": "■ 失敗", "reload.none": "起動後の再読み込みはありません。",
    "cache.answer": "応答キャッシュ（全ワーカー合計）", "cache.response": "共有キャッシュ",
    "foot": "Kakehashi {version} · ワーカー {workers} · 集計は閲覧中のみ",
    "unit.ms": "{number} ms", "unit.s": "{number} 秒", "unit.min": "{number} 分", "unit.h": "{number} 時間", "unit.d": "{number} 日",
  },
};

let language = "en";
const formats = {};

export function speak(wanted) {
  language = WORDS[wanted] ? wanted : "en";
  formats.number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  formats.fine = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  formats.short = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
  formats.part = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  formats.clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  formats.day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
}
speak("en");

export const spoken = () => language;

export function say(key, values) {
  const words = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return values ? words.replace(/\{(\w+)\}/g, (_, field) => values[field] ?? "") : words;
}

// The pieces of a sentence: text, and [field] where a name is put in.
export function pieces(key) {
  return say(key).split(/(\{\w+\})/).filter(Boolean).map((piece) => (/^\{\w+\}$/.test(piece) ? [piece.slice(1, -1)] : piece));
}

const there = (value, format) => (value === null || value === undefined ? "–" : format.format(value));
export const count = (value) => there(value, formats.number);
export const rate = (value) => there(value, value < 10 ? formats.fine : formats.number);
export const part = (value) => there(value, formats.part);

// Milliseconds, with their unit and without.
export const millis = (value) => there(value, value < 1 ? formats.short : formats.fine);
export function time(value) {
  return value === null || value === undefined ? "–" : say("unit.ms", { number: millis(value) });
}

// Seconds, in the largest unit that is worth it and the one below.
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const units = [["unit.d", 86400], ["unit.h", 3600], ["unit.min", 60], ["unit.s", 1]];
  const first = units.findIndex(([, size]) => whole >= size);
  if (first < 0) return say("unit.s", { number: 0 });
  let left = whole;
  const said = units.slice(first, first + 2).map(([word, size]) => {
    const number = Math.floor(left / size);
    left -= number * size;
    return number ? say(word, { number }) : "";
  });
  return said.filter(Boolean).join(" ");
}

// A moment: the clock today, else the day with it.
export function moment(seconds, now) {
  if (!Number.isFinite(seconds)) return "–";
  const date = new Date(seconds * 1000);
  return Math.abs(now - seconds) < 43200 ? formats.clock.format(date) : formats.day.format(date);
}
