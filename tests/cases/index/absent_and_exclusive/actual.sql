CREATE TABLE public.t (a int, b text);
CREATE INDEX t_a ON public.t (a);
CREATE INDEX t_b ON public.t (b);
CREATE INDEX t_ab ON public.t (a, b);
CREATE TABLE public.u (a int);
CREATE INDEX u_a ON public.u (a);
