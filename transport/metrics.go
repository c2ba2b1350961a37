package transport

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the figures of a server; their labels have few values and never one of a user.
type metrics struct {
	connections *prometheus.GaugeVec
	closes      *prometheus.CounterVec
	framesIn    prometheus.Counter
	framesOut   prometheus.Counter
	requests    *prometheus.CounterVec
}

// newMetrics registers the figures; without a Registerer they are only counted.
func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		connections: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "switchboard_devices", Help: "Live connections of devices, by kind.",
		}, []string{"kind"}),
		closes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "switchboard_device_closes_total", Help: "Ended connections of devices, by close code; 0: the device went away.",
		}, []string{"code"}),
		framesIn: f.NewCounter(prometheus.CounterOpts{
			Name: "switchboard_frames_in_total", Help: "Frames that devices sent.",
		}),
		framesOut: f.NewCounter(prometheus.CounterOpts{
			Name: "switchboard_frames_out_total", Help: "Frames written to devices.",
		}),
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "switchboard_http_requests_total", Help: "Answered HTTP requests, by status.",
		}, []string{"status"}),
	}
}
