//! Tests of the selection: margin, evidence, hysteresis, forgetting, fallback.

use super::*;

fn flat(p90: f32) -> Option<Forecast> {
    (p90 >= 0.0).then(|| Forecast::new([[p90; 3]; HORIZONS], 100.0))
}

/// A forecast of every model.
const ALL: Forecasts = [Some(Forecast { quantiles: [[1.0; 3]; HORIZONS] }); MODELS];

/// Minutes from `from` on, in which the truth is 10 and the models forecast these values.
fn run(scores: &mut Scoreboard, from: i64, minutes: i64, [lstm, ridge, peak, naive]: [f32; 4]) -> i64 {
    for minute in from..from + minutes {
        scores.observe(minute * 60, Some(10.0));
        scores.record(minute * 60, 10.0, [flat(lstm), flat(ridge), flat(peak), flat(naive)], 60);
    }
    (from + minutes) * 60
}

#[test]
fn a_challenger_must_be_more_than_five_per_cent_better() {
    let chosen = |ridge| {
        let mut scores = Scoreboard::default();
        let now = run(&mut scores, 0, 300, [20.0, ridge, 50.0, 50.0]);
        Selection::default().choose(now, &scores, &ALL)
    };
    assert_eq!(chosen(19.6), ModelKind::Lstm);
    assert_eq!(chosen(19.4), ModelKind::Ridge);
}

#[test]
fn two_hundred_scored_steps_are_needed() {
    let chosen = |minutes| {
        let mut scores = Scoreboard::default();
        let now = run(&mut scores, 0, minutes, [20.0, 11.0, 50.0, 50.0]);
        Selection::default().choose(now, &scores, &ALL)
    };
    assert_eq!(chosen(200), ModelKind::Lstm);
    assert_eq!(chosen(202), ModelKind::Ridge);
}

#[test]
fn a_choice_stands_for_half_an_hour() {
    let (mut scores, mut selection) = (Scoreboard::default(), Selection::default());
    let now = run(&mut scores, 0, 300, [20.0, 11.0, 50.0, 50.0]);
    assert_eq!(selection.choose(now, &scores, &ALL), ModelKind::Ridge);
    run(&mut scores, 300, 300, [10.0, 90.0, 50.0, 50.0]);
    assert_eq!(selection.choose(now + HYSTERESIS - 1, &scores, &ALL), ModelKind::Ridge);
    assert_eq!(selection.choose(now + HYSTERESIS, &scores, &ALL), ModelKind::Lstm);
}

#[test]
fn without_an_lstm_the_best_of_the_others_is_served_and_an_lstm_takes_over_at_once() {
    let (mut scores, mut selection) = (Scoreboard::default(), Selection::default());
    let others = [None, ALL[1], ALL[2], ALL[3]];
    assert_eq!(selection.choose(0, &scores, &others), ModelKind::Naive, "nothing is known of the others yet");
    let now = run(&mut scores, 0, 300, [-1.0, 30.0, 15.0, 40.0]);
    assert_eq!(selection.choose(now, &scores, &others), ModelKind::MaxOf10);
    assert_eq!(selection.choose(now + 60, &scores, &ALL), ModelKind::Lstm);
}

#[test]
fn scores_are_forgotten_after_a_day() {
    let mut scores = Scoreboard::default();
    run(&mut scores, 0, 60, [90.0; 4]);
    run(&mut scores, 60, 24 * 60, [10.0; 4]);
    let score = scores.score(ModelKind::Naive).unwrap();
    assert!(score.mae < 0.5 && score.steps <= 24 * 60, "{score:?}");
}

#[test]
fn a_series_scores_take_less_than_1_4_kb_however_long_it_is_scored() {
    let mut scores = Scoreboard::default();
    for day in 0..3 {
        run(&mut scores, day * 24 * 60, 24 * 60, [10.0; 4]);
        let lists =
            (scores.due.capacity() * size_of::<Due>(), scores.buckets.capacity() * size_of_val(&scores.buckets[0]));
        assert!(size_of::<Scoreboard>() + lists.0 + lists.1 < 1_400, "day {day}: {lists:?} bytes");
    }
}

#[test]
fn gaps_and_forecasts_that_were_not_made_score_nothing() {
    let mut scores = Scoreboard::default();
    scores.record(0, 10.0, [None, flat(10.0), None, None], 60);
    scores.observe(60, None);
    assert_eq!(scores.score(ModelKind::Ridge), None);
    scores.observe(120, Some(12.0));
    assert_eq!(scores.score(ModelKind::Ridge).map(|score| (score.steps, score.mae)), Some((1, 2.0)));
    assert_eq!(scores.score(ModelKind::Lstm), None);
}

#[test]
fn a_series_without_the_chosen_forecast_is_served_by_the_simplest() {
    let selection = Selection::default();
    let served = selection.serve(&[None, flat(2.0), flat(3.0), flat(4.0)]).map(|(model, _)| model);
    assert_eq!(served, Some(ModelKind::Naive));
    assert_eq!(selection.serve(&[flat(1.0), None, None, None]).map(|(model, _)| model), Some(ModelKind::Lstm));
    assert_eq!(selection.serve(&[None; 4]), None);
}

#[test]
fn a_track_scores_each_cell_once_however_often_it_is_asked() {
    let samples: Vec<crate::Sample> = (1..=300).map(|k| crate::Sample { at: k * 60, value: 10.0 }).collect();
    let name = crate::SeriesName::new("n", "cpu");
    let (series, _) = crate::TimeSeries::resample(name, &samples, 60, 100.0, 18_000);
    let (mut track, mut twice) = (Track::default(), Track::default());
    let forecasts = [flat(20.0), flat(11.0), flat(30.0), flat(40.0)];
    for cells in 1..=300 {
        track.advance(series.until(cells), forecasts);
        let served = twice.advance(series.until(cells), forecasts);
        assert_eq!(served, twice.advance(series.until(cells), forecasts));
    }
    let served = track.advance(series.history(), forecasts).unwrap();
    assert_eq!((served.model, served.data_until), (ModelKind::Ridge, 18_000));
    assert_eq!(served.score.map(|score| (score.steps, score.coverage90)), Some((299, 1.0)));
    assert_eq!(track.scores().score(ModelKind::Lstm), twice.scores().score(ModelKind::Lstm));
    assert_eq!(track.advance(series.history(), [None; 4]), None);
}
