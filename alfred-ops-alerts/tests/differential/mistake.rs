//! Expressions that are wrong on purpose.

use crate::era::Era;
use crate::expression::Generator;

impl Generator<'_> {
    /// An expression that both are to refuse, or that is right by luck.
    pub(crate) fn mistake(&self, depth: u32) -> String {
        let vector = self.vector(depth - 1);
        let scalar = self.scalar(1);
        let forms = [
            "1_000".to_owned(),
            "up[5]".to_owned(),
            "up{job='api', \"instance\"=\"h0:80\"}".to_owned(),
            format!("rate({vector})"),
            format!("sum({scalar})"),
            format!("{scalar} and {vector}"),
            "1 > 2".to_owned(),
            "1 == bool".to_owned(),
            format!("({vector}"),
            format!("{vector})"),
            format!("nothing_like_it({vector})"),
            format!("clamp_max({vector})"),
            format!("abs({vector}, 1)"),
            format!("sum by (job ({vector})"),
            format!("sum by (1a) ({vector})"),
            format!("({vector}) and on (job) group_left ({vector})"),
            format!("({vector}) + on (job) group_left (job) ({vector})"),
            format!("({vector}) and bool ({vector})"),
            format!("({vector}) + bool 1"),
            format!("topk({vector})"),
            format!("quantile(\"a\", {vector})"),
            "up{job=}".to_owned(),
            "up{job=~\"(\"}".to_owned(),
            "{job=~\".*\"}".to_owned(),
            "up{__name__=\"down\"}".to_owned(),
            "up[5m][5m]".to_owned(),
            "up offset 5m offset 1m".to_owned(),
            "up @ 1 @ 2".to_owned(),
            "up[0s]".to_owned(),
            "up[-1m]".to_owned(),
            "rate(up[5m] offset)".to_owned(),
            format!("({vector}) offset 5m"),
            format!("label_replace({vector}, \"a\", \"b\", \"c\", \"(\")"),
            format!("count_values(1, {vector})"),
            format!("{vector} +"),
            "time(1)".to_owned(),
            "\"text\" + 1".to_owned(),
            "-\"text\"".to_owned(),
            String::new(),
            "sum(up) by (job) without (job)".to_owned(),
            format!("scalar({scalar})"),
            format!("vector({vector})"),
            "up{job=\"a\",}".to_owned(),
            "up{,}".to_owned(),
            "sum(up,)".to_owned(),
            "1 + + 2".to_owned(),
            "up[5m:30s:1m]".to_owned(),
            "up[5m] + 1".to_owned(),
            "2 ^ 3 ^ 2 - -1 ^ 2".to_owned(),
            "1 - 2 - 3 * 4 % 3 == bool 1 atan2 2".to_owned(),
            "up or up and steady unless up".to_owned(),
            "SUM(up) BY (job) > BOOL 1".to_owned(),
            "-up ^ 2".to_owned(),
            "up # a remark".to_owned(),
            "by + on".to_owned(),
            "sum".to_owned(),
            "0b11".to_owned(),
            "0777".to_owned(),
            "1e".to_owned(),
            ".5 + 5. + 1e+2".to_owned(),
            "up{job==\"a\"}".to_owned(),
            "up{job=\"\\q\"}".to_owned(),
            "up[5m".to_owned(),
            "up[1h30m5s]".to_owned(),
            "up[1m5h]".to_owned(),
        ];
        // The first ones are right in later versions.
        let forms = if self.era == Era::Two { &forms[3..] } else { &forms };
        let place = usize::try_from(self.chance.below(u32::try_from(forms.len()).unwrap())).unwrap();
        forms[place].clone()
    }
}
