CREATE TABLE public.old_counters (id int);
CREATE SEQUENCE public.p_q_r_seq;
