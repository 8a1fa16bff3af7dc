CREATE TYPE public.state AS ENUM ('open', 'closed');
CREATE TABLE public.ticket (id int PRIMARY KEY, state public.state);
CREATE VIEW public.open_tickets AS SELECT id, state FROM public.ticket WHERE state = 'open';
CREATE VIEW public.open_ids AS SELECT id FROM public.open_tickets;
CREATE MATERIALIZED VIEW public.counted AS
    SELECT count(*) AS n FROM public.ticket WHERE state = 'closed';
