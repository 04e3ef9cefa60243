package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mailed(fields string) string { return q360("") + "deployment: {mail: {" + fields + "}}\n" }

func TestMailSection(t *testing.T) {
	for fields, want := range map[string]Mail{
		"host: smtp.example.com, from: ar@example.com": {Host: "smtp.example.com", Port: 587, From: "ar@example.com", TLS: TLSRequired},
		"host: smtp.example.com, port: 465, from: ar@example.com, username: ar@example.com, password_secret: smtp-key": {
			Host: "smtp.example.com", Port: 465, From: "ar@example.com", Username: "ar@example.com", PasswordSecret: "smtp-key", TLS: TLSRequired},
		"host: mail, port: 25, from: ar@example.com, tls: opportunistic":   {Host: "mail", Port: 25, From: "ar@example.com", TLS: TLSOpportunistic},
		"host: 127.0.0.1, port: 2525, from: ar@example.com, tls: none":     {Host: "127.0.0.1", Port: 2525, From: "ar@example.com", TLS: TLSNone},
		"host: '::1', port: '2525', from: ar@example.com, tls: none":       {Host: "::1", Port: 2525, From: "ar@example.com", TLS: TLSNone},
		"tls: none, host: localhost, from: ar@example.com, port: 0x10":     {},
		"host: localhost, from: ar@example.com, port: 465, tls: required":  {Host: "localhost", Port: 465, From: "ar@example.com", TLS: TLSRequired},
		"host: localhost, from: ar@example.com, port: 65535, tls: 'none' ": {Host: "localhost", Port: 65535, From: "ar@example.com", TLS: TLSNone},
	} {
		cfg, problems := Parse([]byte(mailed(fields)), "", Env{})
		if want.Host == "" {
			if problems == nil {
				t.Errorf("%s is taken", fields)
			}
			continue
		}
		if problems != nil {
			t.Errorf("%s: %s", fields, problems)
			continue
		}
		if diff := cmp.Diff(want, cfg.Deployment.Mail); diff != "" || !cfg.Deployment.Mail.Configured() {
			t.Errorf("%s: %s", fields, diff)
		}
	}
	if cfg, _ := Parse([]byte(q360("")+"deployment: {mail: }\n"), "", Env{}); cfg.Deployment.Mail.Configured() {
		t.Error("an empty section is a mail server")
	}
}

func TestStrictMail(t *testing.T) {
	const good = "host: smtp.example.com, from: ar@example.com"
	refused(t, map[string]strictCase{
		"no host":           {mailed("from: ar@example.com"), "line 10: deployment.mail.host: required"},
		"no sender":         {mailed("host: smtp.example.com"), "line 10: deployment.mail.from: required"},
		"unknown key":       {mailed(good + ", password: x"), "line 10: deployment.mail.password: unknown key (expected one of host"},
		"host with a port":  {mailed("from: ar@example.com, host: 'smtp.example.com:25'"), `deployment.mail.host = "smtp.example.com:25": not of this form`},
		"host an address":   {mailed("from: ar@example.com, host: 'https://smtp.example.com'"), "deployment.mail.host = \"https://smtp.example.com\": not of this form"},
		"port zero":         {mailed(good + ", port: 0"), "deployment.mail.port = \"0\": not of this form"},
		"port too high":     {mailed(good + ", port: 65536"), "deployment.mail.port = \"65536\": no port"},
		"display name":      {mailed("host: h, from: 'AR <ar@example.com>'"), "line 10: deployment.mail.from = [not shown]: not of this form"},
		"other tls":         {mailed(good + ", tls: always"), `deployment.mail.tls = "always": not of this form`},
		"no tls abroad":     {mailed(good + ", tls: none"), "deployment.mail.tls = none: not encrypted; that is for this machine only"},
		"no tls on 465":     {mailed("host: localhost, port: 465, from: ar@example.com, tls: none"), "deployment.mail.tls = none: port 465 is always encrypted"},
		"no password":       {mailed(good + ", username: ar"), "deployment.mail.password_secret: required with username"},
		"no user":           {mailed(good + ", password_secret: key"), "deployment.mail.username: required with password_secret"},
		"password pasted":   {mailed(good + ", username: ar, password_secret: 'correct horse'"), "deployment.mail.password_secret = [not shown]: not the name of a secret"},
		"user of two words": {mailed(good + ", username: 'a b', password_secret: key"), "deployment.mail.username = [not shown]: not of this form"},
	})
}

// TestDigestWithoutMail: recipients without a mail server are one warning that names the companies; nothing else stops.
func TestDigestWithoutMail(t *testing.T) {
	two := "companies:\n" + company("us", "01", "") + company("ca", "02", "")
	wanted := "deployment:\n  settings:\n    notify.recipients: [ar@example.com]\n" + two
	cfg, problems := Parse([]byte(wanted), "", Env{})
	if cfg == nil || len(cfg.Companies) != 2 || len(problems) != 1 || !problems[0].Warning {
		t.Fatal(problems)
	}
	if text := problems[0].String(); !strings.HasPrefix(text, "line 2: deployment.mail: missing, so the digest of us, ca is not sent") ||
		strings.Contains(text, "ar@") {
		t.Error(text)
	}
	for name, text := range map[string]string{
		"nobody wants it": two,
		"switched off":    strings.Replace(wanted, "notify.recipients", "notify.digest: off\n    notify.recipients", 1),
		"at a time":       strings.Replace(wanted, "settings:\n", "settings:\n    notify.digest: off\n    notify.at: 06:30\n", 1),
		"configured":      strings.Replace(wanted, "  settings:\n", "  mail: {host: h, from: ar@example.com}\n  settings:\n", 1),
	} {
		if _, problems := Parse([]byte(text), "", Env{}); problems != nil {
			t.Errorf("%s: %s", name, problems)
		}
	}
}
