//! From a real `node_exporter`, scraped by a real Prometheus, to a forecast of this machine: a node that joined a
//! cluster with a past.

use crate::bench::{Bench, config};
use crate::http;
use crate::process::{Process, free_port, installed, until};
use crate::prometheus::{Prometheus, now};

#[test]
fn this_machine_is_forecast_from_what_its_exporter_says() {
    let folder = tempfile::tempdir().unwrap();
    let exporter = format!("127.0.0.1:{}", free_port());
    let listen = format!("--web.listen-address={exporter}");
    let _exporter = Process::start("node_exporter", &installed("prometheus-node-exporter"), &[&listen], folder.path());
    let prometheus =
        Prometheus::scraping(&format!("{{job_name: node, static_configs: [{{targets: ['{exporter}']}}]}}"));
    // Two scrapes, or there is no rate.
    until("two scrapes", || {
        let query = "/api/v1/query?query=min(count_over_time(node_cpu_seconds_total%7Bmode%3D%22idle%22,instance!~%22.*9100%22%7D%5B1m%5D))%3E1";
        let answer = http::get(&format!("127.0.0.1:{}", prometheus.port), query, &[])?;
        answer.body.contains("\"value\"").then_some(())
    });
    let more = "defaultQueries: [node_cpu, node_memory]\nschedule: {history: 1h}\nmodel: {lstm: false}\n";
    let mut bench = Bench::new(&config(&prometheus.url(), more));
    // The end of the minute that runs now: nothing later is known, so nothing is left out.
    bench.tick(now() + 60);
    for resource in ["cpu", "memory"] {
        let forecast = bench.forecast("127.0.0.1", resource).unwrap();
        assert!(forecast.values.iter().flatten().all(|value| (0.0..=1.0).contains(value)), "{forecast:?}");
        assert!(forecast.values[0][1] > 0.0, "{forecast:?}");
    }
}
