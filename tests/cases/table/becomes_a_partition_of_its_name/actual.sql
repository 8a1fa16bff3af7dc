CREATE SEQUENCE public.ev_seq;
CREATE TABLE public.events (id bigint NOT NULL DEFAULT nextval('public.ev_seq'), at timestamptz NOT NULL, who name, body text);
INSERT INTO public.events (at, who) SELECT '2025-01-01'::timestamptz + g * interval '1 hour', 'a' FROM generate_series(1, 100) AS g;
ALTER TABLE public.events ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.events USING (who = current_user);
GRANT SELECT, INSERT ON public.events TO pg_monitor;
COMMENT ON TABLE public.events IS 'what happened';
