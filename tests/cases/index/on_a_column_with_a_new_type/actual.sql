CREATE TYPE public.state AS ENUM ('open', 'closed');
CREATE TABLE public.t (s public.state, n int, d text);
CREATE INDEX t_open ON public.t (n) WHERE s = 'open';
CREATE INDEX t_pattern ON public.t (d text_pattern_ops);
CREATE INDEX t_n ON public.t (n DESC);
