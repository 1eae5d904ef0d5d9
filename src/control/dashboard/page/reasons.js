// What the server says of an explanation, in Japanese. The server speaks English; what is not known here stays as it is.

const JA = [
  [/^a route before it answers$/, "先に照合されたルートが応答します"],
  [/^below a zone cut only those are asked that lead outside$/, "委任された名前は、外部へ向かうルートだけに問い合わせます"],
  [/^visible to (.+) only$/, "$1 からのみ見えます"],
  [/^has no such name, and falls through$/, "該当する名前がないため、次のルートへ進みます"],
  [/^has no such name$/, "該当する名前がありません"],
  [/^delegates the name, which is asked for outside$/, "名前が委任されているため、外部へ問い合わせます"],
  [/^delegates the name$/, "名前を委任しています"],
  [/^is asked, and falls through where it has no such name$/, "問い合わせ、該当する名前がなければ次のルートへ進みます"],
  [/^is asked$/, "問い合わせます"],
  [/^refuses$/, "拒否します"],
  [/^an alias of (.+)$/, "$1 の別名です"],
  [/^has the records$/, "該当するレコードがあります"],
  [/^has the name, not the type$/, "名前はありますが、このタイプのレコードはありません"],
  [/^NXDOMAIN: no route has the name$/, "NXDOMAIN：どのルートにも該当する名前がありません"],
  [/^NOERROR, no data: the name is there for what is below it$/, "NOERROR、データなし：下位の名前のためにだけ存在する名前です"],
  [/^NXDOMAIN or no data, as they say$/, "問い合わせ先に応じて NXDOMAIN またはデータなし"],
  [/^NOERROR with the CNAMEs alone: this view has no answer for the last target$/, "NOERROR、CNAME のみ：最後の別名の先に対する応答がこのビューにはありません"],
  [/^([A-Z]+), (\d+) records?$/, "$1、$2 レコード"],
  [/^([A-Z]+), no data$/, "$1、データなし"],
  [/^a referral$/, "委任情報"],
  [/^what the servers of (.+) say$/, "$1 のサーバーの応答"],
  [/^what the servers from the root down say$/, "ルートからたどった権威サーバーの応答"],
  [/^zone, serial (\d+)$/, "ゾーン（シリアル $1）"],
  [/^forward to (.+)$/, "$1 へ転送"],
  [/^recurse$/, "再帰検索"],
  [/^refuse$/, "拒否"],
  [/^no IP address$/, "IP アドレスではありません"],
  [/^no such record type$/, "このレコードタイプはありません"],
  [/^the name is empty \(the root is "\."\)$/, "名前が空です（ルートは「.」）"],
  [/^a label is empty$/, "空のラベルがあります"],
  [/^a label is longer than 63 octets$/, "63 オクテットを超えるラベルがあります"],
  [/^the name is longer than 255 octets$/, "名前が 255 オクテットを超えています"],
  [/^an escape is not \\X or \\DDD \(000 to 255\)$/, "エスケープは \\X または \\DDD（000～255）で書いてください"],
];

export function reason(text, language) {
  if (language !== "ja") return text;
  // What is said of several sources is said one after another.
  return text.split("; where that has no such name, ").map((one) => {
    const known = JA.find(([pattern]) => pattern.test(one));
    return known ? one.replace(known[0], known[1]) : one;
  }).join("。該当する名前がない場合は ");
}
